-- What was voted, by year and article.
select
    year,
    trim(article) as article,
    trim(service) as service,
    trim(label) as label,
    voted_eur
from {{ current_keys(source('raw', 'budget_lines'), 'year, article') }}
