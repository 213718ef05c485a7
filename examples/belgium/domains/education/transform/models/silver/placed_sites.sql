-- Each site in its municipality: the one whose postcodes begin last, but not after the site's own.
select s.*, p.nis_code, m.region
from {{ ref('sites') }} as s
asof left join {{ source('statistical_office', 'postcode_starts') }} as p on s.postcode >= p.postcode
left join {{ source('statistical_office', 'municipalities') }} as m using (nis_code)
