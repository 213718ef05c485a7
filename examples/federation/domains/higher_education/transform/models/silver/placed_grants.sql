-- Grants that can be counted: each once, of an institution that is known, of an amount that can be; with the institution's municipality.
select distinct g.grant_id, g.institution_id, i.nis_code, g.study_domain, g.amount_eur, year(g.granted_on)::integer as year
from {{ ref('grants') }} as g
join {{ ref('institutions') }} as i using (institution_id)
where g.amount_eur > 0
