-- The municipalities of 2018: the pupils and the population of 2013 use their codes.
select nis_code, name_fr, name_nl, province, region, inhabitants::integer as inhabitants_2018
from {{ ref('municipalities_by_year') }}
where year = 2018
order by nis_code
