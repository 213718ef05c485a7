-- Publications that can be counted: each once, of an institution that is known; with the institution's municipality.
select distinct p.handle, p.institution_id, i.nis_code, p.kind, year(p.deposited_on)::integer as year
from {{ ref('publications') }} as p
join {{ ref('institutions') }} as i using (institution_id)
