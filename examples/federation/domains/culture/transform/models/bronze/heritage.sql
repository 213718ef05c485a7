-- What is protected, without the names of private owners.
select
    trim(heritage_id) as heritage_id,
    trim(name) as name,
    trim(kind) as kind,
    trim(nis_code) as nis_code,
    latitude,
    longitude,
    protected_on,
    owner_kind = 'privé' as is_private
from {{ current_rows(source('raw', 'heritage')) }}
