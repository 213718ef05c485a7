{{ config(meta={'dagster': {'ref': {'name': 'grants'}}}) }}  {#- the dataset whose check this is -#}
-- Fails when the list of both kinds of grants does not hold every euro of the two it is made of.
select listed.amount_eur, paid.amount_eur as expected
from (select round(sum(amount_eur), 2) as amount_eur from {{ ref('grants') }}) as listed,
     (
         select round(sum(amount_eur), 2) as amount_eur
         from (select amount_eur from {{ ref('operating_grants') }} union all select amount_eur from {{ ref('project_grants') }})
     ) as paid
where listed.amount_eur is distinct from paid.amount_eur
