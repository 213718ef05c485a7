{{ config(meta={'dagster': {'ref': {'name': 'school_sites_by_region'}}}) }}  {#- the dataset whose check this is -#}
-- None is lost on the way to gold.
with figures as (
    select
        (select count(*) from {{ ref('sites') }}) as lines,
        (select count(*) from {{ ref('sites') }} where latitude is null and longitude is null) as without_coordinates,
        (select sum(lines) from {{ ref('school_sites_by_region') }}) as lines_in_gold,
        (select sum(lines_without_coordinates) from {{ ref('school_sites_by_region') }}) as without_coordinates_in_gold
)
select * from figures
where (lines, without_coordinates, lines_in_gold, without_coordinates_in_gold) is distinct from (6805, 192, 6805, 192)
