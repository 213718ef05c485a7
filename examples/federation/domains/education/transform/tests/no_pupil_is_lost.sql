-- Fails when the gold dataset does not count every pupil exactly once.
select counted.pupils, there.pupils as expected
from (select sum(pupils) as pupils from {{ ref('pupils_by_municipality') }}) as counted,
     (select count(*) as pupils from {{ ref('pupils') }}) as there
where counted.pupils <> there.pupils
