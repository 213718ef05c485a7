-- Days of school, numbered within their school year: no weekend, no holiday.
with days as (
    select school_year, unnest(generate_series(first_day, last_day, interval 1 day))::date as day
    from {{ ref('school_years') }}
)

select d.school_year, d.day, row_number() over (partition by d.school_year order by d.day)::integer as number
from days as d
left join {{ ref('holidays') }} as h on d.school_year = h.school_year and d.day between h.first_day and h.last_day
where h.holiday is null and isodow(d.day) < 6
