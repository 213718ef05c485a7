-- Every loan as it is now: a loan comes again when it is returned.
select
    loan_id,
    borrower_id,
    trim(library_id) as library_id,
    medium,
    title,
    lent_on,
    due_on,
    returned_on,
    renewals,
    fine_eur,
    updated_at
from {{ newest(source('raw', 'loans'), 'loan_id') }}
