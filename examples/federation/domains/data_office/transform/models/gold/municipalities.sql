-- The list that every domain joins to: one row per municipality.
select m.nis_code, m.name_fr, m.name_nl, m.province, m.region, count(p.postcode)::integer as postcodes
from {{ ref('listed_municipalities') }} as m
left join {{ ref('listed_postal_codes') }} as p using (nis_code)
group by all
