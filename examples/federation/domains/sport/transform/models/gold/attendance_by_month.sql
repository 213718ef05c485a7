-- When halls are full and pools are empty. A month in which few report is not a month in which few came.
select
    month,
    kind,
    count(*)::integer as facilities,
    sum(school_visits)::bigint as school_visits,
    sum(club_visits)::bigint as club_visits,
    sum(public_visits)::bigint as public_visits,
    round(avg(occupation_percent), 1)::double as occupation_percent
from {{ ref('known_attendance') }}
group by month, kind
order by month, kind
