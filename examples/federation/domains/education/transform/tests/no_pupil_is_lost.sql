{{ config(meta={'dagster': {'ref': {'name': 'pupils_by_municipality'}}}) }}  {#- the dataset whose check this is -#}
-- Fails when the gold dataset does not count every pupil who has a school exactly once.
select counted.pupils, there.pupils as expected
from (select sum(pupils) as pupils from {{ ref('pupils_by_municipality') }}) as counted,
     (select count(*) as pupils from {{ ref('pupils') }} where left_on is null) as there
where counted.pupils is distinct from there.pupils
