{{ config(meta={'dagster': {'ref': {'name': 'postcode_starts'}}}) }}  {#- the dataset whose check this is -#}
select nis_code from {{ ref('municipalities') }}
except
select nis_code from {{ ref('postcode_starts') }}
