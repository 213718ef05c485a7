-- Infrastructure of all files of the inventory; the position is a JSON array, longitude first.
select
    trim(facility_id) as facility_id,
    trim(name) as name,
    trim(kind) as kind,
    trim(discipline) as discipline,
    trim(nis_code) as nis_code,
    built,
    surface_m2,
    is_accessible,
    (position ->> '$[0]')::double as longitude,
    (position ->> '$[1]')::double as latitude
from {{ current_rows(source('raw', 'infrastructure')) }}
