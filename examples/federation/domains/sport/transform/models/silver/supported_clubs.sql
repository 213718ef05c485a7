-- Clubs that can be counted, with what they were paid in the last year: each enterprise once, with a number of members that can be.
with paid as (
    select club_id, sum(amount_eur) as amount_eur
    from {{ ref('subsidies') }}
    where year = (select max(year) from {{ ref('subsidies') }})
    group by club_id
)

select
    c.club_id,
    c.enterprise_number,
    c.name,
    c.discipline,
    c.nis_code,
    c.members,
    c.is_active,
    coalesce(p.amount_eur, 0)::double as subsidies_eur
from {{ ref('clubs') }} as c
left join paid as p using (club_id)
where c.members between 1 and 5000
qualify row_number() over (partition by c.enterprise_number order by c.club_id) = 1
