{{ config(meta={'dagster': {'ref': {'name': 'children_by_municipality'}}}) }}  {#- the dataset whose check this is -#}
-- Municipalities alone add up to 11,099,554; the other 51 codes are levels above them.
with figures as (
    select
        (select count(distinct nis_code) from {{ ref('counts_2013') }}) as codes,
        (select count(*) from {{ ref('counts_2013') }}) as lines,
        (select count(distinct nis_code) from {{ ref('population_2013_of_municipalities') }}) as municipalities,
        (select sum(inhabitants) from {{ ref('children_by_municipality') }}) as inhabitants
)
select * from figures where (codes, lines, municipalities, inhabitants) is distinct from (640, 26880, 589, 11099554)
