-- Attendance with the kind of the infrastructure; a share of the hours beyond 100 % is not known.
select
    a.facility_id,
    i.kind,
    i.nis_code,
    a.month,
    a.school_visits,
    a.club_visits,
    a.public_visits,
    if(a.occupation_percent between 0 and 100, a.occupation_percent, null) as occupation_percent
from {{ ref('attendance') }} as a
join {{ ref('infrastructure') }} as i using (facility_id)
