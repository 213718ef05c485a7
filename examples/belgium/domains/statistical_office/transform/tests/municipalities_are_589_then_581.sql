-- 589 municipalities in 2018, 581 after the mergers of 2019. Inhabitants must parse whatever separates their thousands.
select there.*, expected.*
from (
    select year, count(distinct nis_code) as municipalities, sum(inhabitants) as inhabitants
    from {{ ref('municipalities_by_year') }} group by year
) as there
full join (values (2018, 589, 11376070), (2019, 581, 11431406), (2020, 581, 11492641)) as expected (year, municipalities, inhabitants) using (year)
where there.municipalities is distinct from expected.municipalities or there.inhabitants is distinct from expected.inhabitants
