-- The decimal point is back where it was: between 49.4 and 51.6 north, 2.5 and 6.5 east.
select * from {{ ref('sites') }}
where latitude not between 49.4 and 51.6 or longitude not between 2.5 and 6.5 or (latitude is null) is distinct from (longitude is null)
