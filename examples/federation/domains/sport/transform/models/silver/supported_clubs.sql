-- Clubs with what they were paid.
select c.*, coalesce(s.amount_eur, 0)::double as subsidies_eur
from {{ ref('clubs') }} as c
left join (select club_id, sum(amount_eur) as amount_eur from {{ ref('subsidies') }} group by club_id) as s using (club_id)
