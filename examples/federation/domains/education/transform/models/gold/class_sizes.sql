-- How large classes are, by level and grade, from the returns that were accepted.
select
    r.level,
    r.grade,
    g.label_fr as grade_fr,
    count(*)::integer as classes,
    sum(r.pupils)::integer as pupils,
    round(avg(r.pupils), 1)::double as pupils_per_class,
    round(sum(r.pupils * r.attendance_percent) / sum(r.pupils), 1)::double as attendance_percent
from {{ ref('returns') }} as r
join {{ source('data_office', 'codes') }} as g on g.list = 'grade' and g.code = r.grade
group by r.level, r.grade, g.label_fr
order by r.level, r.grade
