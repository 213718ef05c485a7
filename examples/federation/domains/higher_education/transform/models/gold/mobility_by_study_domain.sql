-- How many students of a study domain go abroad in a year. A code that the data office does not have is counted nowhere.
select
    s.academic_year,
    s.study_domain,
    c.label_fr as study_domain_name,
    count(*)::integer as students,
    round(avg(s.months) filter (where s.months <= 12), 1)::double as average_months
from {{ ref('stays') }} as s
join {{ source('data_office', 'codes') }} as c on c.list = 'study_domain' and c.code = s.study_domain
group by all
order by s.academic_year, s.study_domain
