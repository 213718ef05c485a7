-- A locality whose NIS code is a municipality's of today gives that municipality's postcode; the villages merged into it have the
-- postcodes that follow, up to the next municipality's. Five stretches do not follow that rule and are written out.
select postcode, nis_code
from {{ ref('listed_localities') }}
where postcode is not null and nis_code in (select nis_code from {{ ref('municipalities') }})
union
select postcode, nis_code
from (values
    (1120, '21004'),  -- Neder-over-Heembeek and Haren belong to Brussels, not to Jette
    (4606, '62027'),  -- Saint-André belongs to Dalhem, not to Visé
    (5100, '92094'),  -- Jambes and its neighbours belong to Namur, not to La Bruyère
    (5576, '91013'),  -- Froidfontaine belongs to Beauraing, not to Gedinne
    (6686, '82005')   -- Flamierge belongs to Bertogne, not to Sainte-Ode
) as exceptions (postcode, nis_code)
order by postcode
