-- Lines of pay with the job of their scale. Who was paid, and on which account, stays behind in bronze.
select p.month, p.pay_scale, s.job, p.hours_per_week, p.gross_amount
from {{ ref('pay') }} as p
join {{ ref('staff') }} as s using (staff_id)
