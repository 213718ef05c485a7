-- All lines of pay: a line never changes, so every load together is the whole.
select line_id, staff_id, month, trim(pay_scale) as pay_scale, seniority_years, hours_per_week, gross_amount, reference, paid_on
from {{ source('raw', 'pay') }}
