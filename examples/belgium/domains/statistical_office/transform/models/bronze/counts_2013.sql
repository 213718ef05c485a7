-- Counts by NIS code, sex and band of five years; `age` is the last age of its band.
select trim(nis_code) as nis_code, sex, age as last_age, inhabitants
from {{ current_rows(source('raw', 'population_2013')) }}
