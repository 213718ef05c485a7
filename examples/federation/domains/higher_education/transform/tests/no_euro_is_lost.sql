{{ config(meta={'dagster': {'ref': {'name': 'funding_by_municipality'}}}) }}  {#- the dataset whose check this is -#}
-- Fails when the municipalities together did not get what was granted, to the cent.
select counted.amount_eur, granted.amount_eur as expected
from (select sum(amount_eur)::decimal(14, 2) as amount_eur from {{ ref('funding_by_municipality') }}) as counted,
     (select sum(amount_eur)::decimal(14, 2) as amount_eur from {{ ref('placed_grants') }}) as granted
where counted.amount_eur is distinct from granted.amount_eur
