select nis_code from {{ ref('municipalities') }}
except
select nis_code from {{ ref('postcode_starts') }}
