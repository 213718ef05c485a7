-- Pupils who have a school, with the municipality they live in. Names, numbers, birth dates and beliefs stay behind in bronze.
select
    u.pupil_id,
    u.school_id,
    u.sex,
    u.grade,
    case left(u.grade, 1) when 'M' then 'preschool' when 'P' then 'primary' when 'S' then 'secondary' end as level,
    coalesce(m.nis_code, p.nis_code) as nis_code
from {{ ref('pupils') }} as u
left join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join {{ source('data_office', 'postal_codes') }} as p using (postcode)
where u.left_on is null
