-- Holders as the federations have them now, without address.
select
    holder_id,
    trim(last_name) as last_name,
    trim(first_name) as first_name,
    upper(sex) as sex,
    birth_date,
    updated_at
from {{ current_keys(source('raw', 'licence_holders'), 'holder_id') }}
