-- Codes that are in only one of the lists of 2018 and 2020.
select
    coalesce(before.nis_code, after.nis_code) as nis_code,
    case when after.nis_code is null then 'vanished' else 'appeared' end as change,
    coalesce(before.name_fr, after.name_fr) as name_fr,
    coalesce(before.name_nl, after.name_nl) as name_nl
from (select * from {{ ref('municipalities_by_year') }} where year = 2018) as before
full join (select * from {{ ref('municipalities_by_year') }} where year = 2020) as after using (nis_code)
where before.nis_code is null or after.nis_code is null
order by nis_code
