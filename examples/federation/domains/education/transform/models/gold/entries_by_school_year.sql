-- Entries into schools by school year and level, and how many came after the tenth day of school.
with numbered as (
    select
        e.school_year,
        case left(e.grade, 1) when 'M' then 'preschool' when 'P' then 'primary' when 'S' then 'secondary' end as level,
        d.number
    from {{ ref('enrolments') }} as e
    asof left join {{ ref('school_days') }} as d on e.school_year = d.school_year and e.entered_on <= d.day
)

select
    school_year,
    level,
    count(*)::integer as entries,
    count(*) filter (where number is null or number > 10)::integer as late_entries
from numbered
group by school_year, level
order by school_year, level
