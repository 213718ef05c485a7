-- Who holds a card, as the desk typed it. Who somebody is goes no further than here.
select
    borrower_id,
    trim(card_number) as card_number,
    trim(last_name) as last_name,
    trim(first_name) as first_name,
    birth_date,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    trim(library_id) as library_id,
    registered_on,
    updated_at
from {{ newest(source('raw', 'borrowers'), 'borrower_id') }}
