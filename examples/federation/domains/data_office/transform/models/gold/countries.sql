-- The countries that people come from and go to.
select country, name_fr, name_nl, is_eu_member
from {{ ref('listed_countries') }}
