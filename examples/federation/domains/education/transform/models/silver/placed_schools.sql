-- Schools with the municipality they stand in, by NIS code, else by postcode.
select s.school_id, s.network, s.level, coalesce(m.nis_code, p.nis_code) as nis_code
from {{ ref('schools') }} as s
left join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join {{ source('data_office', 'postal_codes') }} as p using (postcode)
