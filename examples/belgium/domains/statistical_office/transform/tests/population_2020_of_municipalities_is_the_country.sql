{{ config(meta={'dagster': {'ref': {'name': 'counts_2020'}}}) }}  {#- the dataset whose check this is -#}
-- The 581 municipalities of 2020 add up to the line of the country, 01000.
with figures as (
    select
        (select sum(inhabitants) from {{ ref('counts_2020') }} where nis_code in
            (select nis_code from {{ ref('municipalities_by_year') }} where year = 2020)) as municipalities,
        (select inhabitants from {{ ref('counts_2020') }} where nis_code = '01000') as country,
        (select count(*) from {{ ref('counts_2020') }} where men + women <> inhabitants) as wrong_lines
)
select * from figures where municipalities is distinct from country or wrong_lines <> 0 or country is null
