select nis_code from {{ ref('municipalities_by_year') }} where year in (2019, 2020)
except
select nis_code from {{ ref('nis_codes') }}
