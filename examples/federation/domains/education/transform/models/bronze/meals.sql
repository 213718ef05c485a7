-- Meals by canteen and month; the month becomes its first day.
select
    trim(meal_id) as meal_id,
    trim(canteen_id) as canteen_id,
    strptime(month, '%Y-%m')::date as month,
    served,
    vegetarian,
    free,
    updated_at
from {{ current_keys(source('raw', 'meals'), 'meal_id') }}
