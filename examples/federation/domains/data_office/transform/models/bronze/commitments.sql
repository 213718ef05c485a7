-- What was committed, by year, article and quarter.
select
    year,
    trim(article) as article,
    quarter,
    committed_eur,
    updated_at
from {{ current_keys(source('raw', 'commitments'), 'year, article, quarter') }}
