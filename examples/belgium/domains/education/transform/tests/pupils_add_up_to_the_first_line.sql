-- The municipalities' lines add up to the total in the first line: 143,330 in preschool, 257,514 in primary school.
select there.*, expected.*
from (
    select level, sum(pupils) filter (is_total) as total, sum(pupils) filter (not is_total) as municipalities
    from {{ ref('pupils') }} group by level
) as there
full join (values ('preschool', 143330), ('primary', 257514)) as expected (level, pupils) using (level)
where there.total is distinct from expected.pupils or there.municipalities is distinct from expected.pupils
