-- A line per school site and level. Coordinates lost their decimal point, 503529965 is 50.3529965, and 0 means unknown.
select
    trim(school) as school,
    trim(street) as street,
    trim(postcode)::integer as postcode,
    nullif(latitude, 0) / 1e7 as latitude,
    nullif(longitude, 0) / 1e7 as longitude,
    case trim(level) when 'Maternel ordinaire' then 'preschool' when 'Primaire ordinaire' then 'primary' end as level
from {{ current_rows(source('raw', 'school_sites')) }}
