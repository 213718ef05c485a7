{# Fails for each code that the data office's list of this name does not have. #}
{% test known_code(model, column_name, list) %}
select *
from {{ model }}
where {{ column_name }} not in (select code from {{ source('data_office', 'codes') }} where list = '{{ list }}')
{% endtest %}
