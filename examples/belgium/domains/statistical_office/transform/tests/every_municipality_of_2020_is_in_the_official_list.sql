{{ config(meta={'dagster': {'ref': {'name': 'municipalities_by_year'}}}) }}  {#- the dataset whose check this is -#}
select nis_code from {{ ref('municipalities_by_year') }} where year in (2019, 2020)
except
select nis_code from {{ ref('nis_codes') }}
