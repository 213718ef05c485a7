-- Municipalities only: the file also counts arrondissements, provinces and regions, and a plain sum is 2.6 times too high.
select c.nis_code, c.sex, c.last_age, c.inhabitants
from {{ ref('counts_2013') }} as c
where c.nis_code in (select nis_code from {{ ref('municipalities_by_year') }} where year = 2018)
