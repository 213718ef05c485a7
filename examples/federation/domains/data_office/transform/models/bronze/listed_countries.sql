-- The countries of the last list, trimmed.
select trim(country) as country, trim(name_fr) as name_fr, trim(name_nl) as name_nl, is_eu_member
from {{ current_rows(source('raw', 'countries')) }}
