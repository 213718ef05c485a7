-- Flemish schools; an empty cell is no pupil.
select
    trim(school_id) as school_id,
    regexp_replace(trim(name), '\s+', ' ', 'g') as name,
    trim(street) as street,
    trim(municipality) as municipality,
    trim(postcode) as postcode,
    coalesce(preschool, 0) as preschool,
    coalesce(primary_school, 0) as primary_school,
    coalesce(special_preschool, 0) as special_preschool,
    coalesce(special_primary_school, 0) as special_primary_school,
    pupils
from {{ current_rows(source('raw', 'flemish_schools')) }}
