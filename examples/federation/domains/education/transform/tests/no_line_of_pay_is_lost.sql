{{ config(meta={'dagster': {'ref': {'name': 'staff_cost'}}}) }}
-- Fails when the gold dataset does not add up to what was paid, to the cent.
select counted.amount, there.amount as expected
from (select sum(gross_amount_eur) as amount from {{ ref('staff_cost') }}) as counted,
     (select sum(gross_amount) as amount from {{ ref('pay') }}) as there
where abs(counted.amount - there.amount) > 0.01
