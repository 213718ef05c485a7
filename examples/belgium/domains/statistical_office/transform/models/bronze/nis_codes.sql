-- The official list of NIS codes.
select trim(nis_code) as nis_code, trim(name_fr) as name_fr, trim(name_nl) as name_nl, nullif(trim(language), '') as language
from {{ current_rows(source('raw', 'refnis_2019')) }}
