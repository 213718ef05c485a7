-- Transport of the last version of each file; `Mois` is a text such as 09/2024.
select
    trim(circuit) as circuit,
    school_id,
    trim(operator) as operator,
    strptime('01/' || month, '%d/%m/%Y')::date as month,
    pupils,
    trips,
    kilometres,
    cost_eur
from {{ current_rows(source('raw', 'transport')) }}
