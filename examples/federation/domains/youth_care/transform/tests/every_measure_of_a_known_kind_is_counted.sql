{{ config(meta={'dagster': {'ref': {'name': 'measures_by_district'}}}) }}  {#- the dataset whose check this is -#}
-- Fails when the gold dataset does not count every measure that has a case and a kind of the list.
select counted.measures, there.measures as expected
from (select sum(measures) as measures from {{ ref('measures_by_district') }}) as counted,
     (
         select count(*) as measures
         from {{ ref('measures_in_districts') }}
         where kind in (select code from {{ source('data_office', 'codes') }} where list = 'care_measure')
     ) as there
where counted.measures is distinct from there.measures
