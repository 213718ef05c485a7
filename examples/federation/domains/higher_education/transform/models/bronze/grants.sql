-- Grants of all calls. Promoters and account numbers stay behind in raw: nothing further on asks who got the money.
select
    trim(grant_id) as grant_id,
    trim(institution_id) as institution_id,
    lower(trim(study_domain)) as study_domain,
    trim(title) as title,
    amount_eur::decimal(12, 2) as amount_eur,
    granted_on,
    months
from {{ current_rows(source('raw', 'grants')) }}
